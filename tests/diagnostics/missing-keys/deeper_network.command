build _tiny.yaml -o shallow -t weights
build _tiny.yaml --set stages.0.blocks.0.repeat=3 --weights shallow/tiny.safetensors
