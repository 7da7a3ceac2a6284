search run digits --results _no_hash.csv -o _run
