"""One question of Insights a module. numpy is loaded when one is asked: ingest, and a start, have no use for it."""
