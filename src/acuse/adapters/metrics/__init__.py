"""Events as metrics: counted where they come to pass, and shown in the form that Prometheus reads."""
