"""Pure functions from DataFrame to DataFrame. No Python UDFs, so that they run the same over Spark Connect."""
