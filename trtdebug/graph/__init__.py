"""ONNX models: load and save, index, types, shapes and inputs, cutting out nodes. Knows no backend."""
