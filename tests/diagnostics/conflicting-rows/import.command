latency import _profile.csv --spec _tiny.yaml --device-name "iPhone 12" --os "iOS 16.1" --unit all --precision fp16 -o t.yaml
latency import _profile.csv --spec _tiny.yaml --total-ms 3 -o t.yaml
