"""`python -m infra.connectors`: keeps the connectors of all problems."""

from infra.connectors.keeper import keep
from millrace.settings import get_settings

if __name__ == "__main__":
    keep(get_settings())
