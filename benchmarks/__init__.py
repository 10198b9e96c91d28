"""What is measured beside the models' own metrics: large pictures, speed, memory."""
