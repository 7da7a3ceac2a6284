score _tiny.yaml --latency-ms 1 --mes _steep.yaml
