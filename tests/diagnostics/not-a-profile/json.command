latency import _other.json --spec _tiny.yaml -o t.yaml
