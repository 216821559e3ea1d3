from groundplane_lab.errors import LabError
def build(folder, names, report): raise LabError("no")
