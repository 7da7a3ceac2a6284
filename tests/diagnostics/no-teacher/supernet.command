train digits --supernet slimmable --data digits --recipe v2 -o _run
