search run digits --command 'echo fine' -o _run
