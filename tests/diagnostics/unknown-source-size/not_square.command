build _attention.yaml --size 64x96 -o a -t weights
build _attention.yaml --weights a/attention.safetensors
