search run digits --command false -o _run
