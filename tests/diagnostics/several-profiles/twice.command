latency import _profile.csv _profile.csv --spec _tiny.yaml -o t.yaml
