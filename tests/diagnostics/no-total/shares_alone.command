latency import _shares.csv --spec _tiny.yaml -o t.yaml
