latency import _profile.csv --spec _tiny.yaml --total-ms 0 -o t.yaml
