"""What may be chosen: one list each, which recipes, functions and the command line read."""

from __future__ import annotations

from typing import Literal

DataSetName = Literal[
    "ucf101", "hmdb51", "ccv", "thumos14", "thumos14_detection", "sports1m", "kinetics", "activitynet",
    "weizmann", "ut_interaction",
]  # fmt: skip
DataPart = Literal["train", "val", "test"]
MissingVideos = Literal["refuse", "leave_out"]
ShortVideos = Literal["repeat", "refuse"]
NumCrops = Literal[1, 10]
ClipCrops = Literal[1, 3]
CacheForm = Literal["files", "shards"]
FeatureFormat = Literal["files", "shards", "npy"]
ViewsOf = Literal["train", "test", "both"]
Resizing = Literal["short", "squash"]

FlowMethod = Literal["paper", "fast", "fine", "dis", "raft"]
FlowForm = Literal["stack", "picture"]
FlowStorage = Literal["folder", "zip"]
QuadraticMean = Literal["motion", "codes"]
CameraMotion = Literal["keep", "median", "homography"]
SoundForm = Literal["vggish", "panns", "ast"]
MissingSound = Literal["silence", "refuse"]

NetworkKind = Literal[
    "stan", "san", "average", "pooled", "tan", "cnn", "two_stream", "fc", "branch_selection",
    "spatial_attention", "soft_attention", "self_gates",
]  # fmt: skip
Conv6Kernel = Literal[1, 3]
AttentionForm = Literal["linear", "mlp"]
TemporalForm = Literal["lstm", "encoder_decoder", "attcell", "self_attention"]
DecoderScore = Literal["additive", "dot"]
DecoderSteps = Literal["one", "classes"]
StepsOfTime = Literal["average", "keep"]
PoolingKind = Literal["fc6", "flat", "average", "vlad"]
Classifier = Literal["linear", "svm"]
Fusion = Literal["early", "late"]
RecurrentCell = Literal["gru", "lstm"]

Optimizer = Literal["sgd", "adamw"]
Schedule = Literal["step", "onecycle", "constant"]
Loss = Literal["softmax", "sigmoid"]
ClassWeights = Literal["balanced"]
ScoreRule = Literal["softmax", "sigmoid", "margin"]
CountedSteps = Literal["all", "last"]
Precision = Literal["32", "bf16"]
Accelerator = Literal["auto", "cpu", "gpu"]
Strategy = Literal["ddp", "fsdp"]
LoggerName = Literal["csv", "tensorboard", "wandb", "mlflow", "trackio"]

DetectionRule = Literal["relative", "paper", "sigmoid", "classes", "stpn", "evidence"]
DetectionFormat = Literal["attcell", "activitynet", "thumos"]
DetectionProtocol = Literal["thumos", "activitynet"]
AnnotationTool = Literal["label-studio", "cvat", "via", "elan", "fiftyone"]

VideoKind = Literal["trimmed", "untrimmed"]
MotionKind = Literal["postures", "paths"]
VideoLook = Literal["plain", "smooth"]
SoundCodec = Literal["aac", "opus"]

ExportFormat = Literal["onnx", "torch_export"]
ExportPrecision = Literal["float32", "float16", "int8"]

TableFormat = Literal["markdown", "csv", "latex"]
AblationSubject = Literal["tap", "segments", "fusion", "modalities"]
SuiteName = Literal["generated", "temporal", "weizmann", "ut_interaction", "joined"]

SELF_ATTENTION_HEADS = 4  # of model.temporal self_attention
GROUP_COLUMN = "column"  # data.groups: the last word of each line of a list file
