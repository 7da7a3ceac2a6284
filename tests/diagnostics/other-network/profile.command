latency import _profile.json --spec v2_s0 -o t.yaml
