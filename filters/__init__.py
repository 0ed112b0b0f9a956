"""The judgement: pure rules on records and pixels, without network, disk or orchestration."""
