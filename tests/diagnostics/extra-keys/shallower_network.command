build _tiny.yaml -o deep -t weights
build _tiny.yaml --set stages.0.blocks.0.repeat=1 --weights deep/tiny.safetensors
