from .convexity import ConvexityLoss as ConvexityLoss, ConvexProjection as ConvexProjection
