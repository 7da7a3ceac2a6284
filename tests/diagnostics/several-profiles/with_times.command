latency import _profile.csv _times.csv -o t.yaml
