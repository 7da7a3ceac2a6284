search run digits --function nowhere:to_be_found -o _run
