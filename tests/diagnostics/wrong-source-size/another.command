build _attention.yaml -o a -t weights
build _attention.yaml --size 96 --weights a/attention.safetensors --from-size 128
