latency import _analytics.mil --spec _tiny.yaml -o t.yaml
