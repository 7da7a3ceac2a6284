score _tiny.yaml --latency-ms 1e-320
