latency import _profile.csv -o t.yaml
