latency import _times.csv --manifest _manifest.json -o t.yaml
