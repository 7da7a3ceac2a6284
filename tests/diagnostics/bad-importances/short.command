search run v1 --algorithm slimming --device iphone12 --target params=1e7 --results _other.csv --importances _short.json -o _run
