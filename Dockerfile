# Airflow on Astro: `astro dev start`, or any Docker with docker-compose.override.yml. The image brings its own Airflow
# (so requirements.txt does not) and installs packages.txt and requirements.txt by itself when it is built.
# 3.3-8 is Airflow 3.3.2 with Python 3.11, the same as in requirements/airflow.txt.
FROM astrocrpublic.azurecr.io/runtime:3.3-8-python-3.11

# The import roots: millrace lives in include/, the others beside dags/.
ENV PYTHONPATH=/usr/local/airflow:/usr/local/airflow/include \
    AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL=10 \
    AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL=15 \
    AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION=False \
    AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT=90 \
    RAY_AUTH_MODE=token
