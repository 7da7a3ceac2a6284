latency import _report.json --spec _tiny.yaml -o t.yaml
