"""Following tables of the source database: what each problem's contract needs there, in Kafka, and in Connect."""
