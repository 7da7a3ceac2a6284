train digits --supernet slimmable --data digits --recipe _less_memory.yaml -o _run
