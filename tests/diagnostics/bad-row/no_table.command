latency import _tiny.yaml --spec _tiny.yaml -o t.yaml
