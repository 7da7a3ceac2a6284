latency import _profile.csv --spec _tiny.yaml -o t.yaml
