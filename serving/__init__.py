"""The FastAPI application that answers with predictions of the champions in force."""
