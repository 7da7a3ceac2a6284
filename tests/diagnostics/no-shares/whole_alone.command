latency import _whole.csv --spec _tiny.yaml -o t.yaml
