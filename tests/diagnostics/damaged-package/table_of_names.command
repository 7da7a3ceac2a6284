latency import _profile.json --spec _tiny.yaml -o t.yaml
