"""The small luma image that descriptors look at and that verifies near pairs."""

SIDE = 64  # of the small image, in pixels; what the store keeps of it and verify looks at
