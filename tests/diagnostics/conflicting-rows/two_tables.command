latency merge _table.yaml _other_table.yaml -o merged.yaml
