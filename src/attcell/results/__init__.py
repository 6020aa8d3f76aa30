"""Files of scores, detections and predictions: read, write, fuse, and put into a table."""
