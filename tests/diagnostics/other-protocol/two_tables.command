latency merge _table.yaml _half.yaml -o merged.yaml
