"""What Spark does, one file a job: a function of (spark, arguments). Jobs know no adapter: they get names and ids."""
