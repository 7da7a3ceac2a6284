latency import _typed.csv --spec _tiny.yaml -o t.yaml
