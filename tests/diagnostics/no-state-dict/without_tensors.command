build _tiny.yaml --weights _no_tensors.safetensors
