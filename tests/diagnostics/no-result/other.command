search run digits --results _other.csv -o _run
