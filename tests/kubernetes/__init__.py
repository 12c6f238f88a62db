"""The system on a real Kubernetes, in the image that Dockerfile makes; `make test-kubernetes` runs these tests."""
