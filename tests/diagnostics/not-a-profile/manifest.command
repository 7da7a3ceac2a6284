latency import _times.csv --manifest _other.json -o t.yaml
