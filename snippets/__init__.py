"""读者运行的代码：与题同名的模块，量它们的 `experiments`，管数据与训练的 `digits`。

随机数只有一种来法：

- 抽数的函数收随机源，NumPy 的叫 `rng`，PyTorch 的叫 `generator`；接着它抽，自己不播种。
  `nn.Module` 的子类除外：照 PyTorch 的习惯，初值取自全局的随机源。
- 整个实验（逐个种子造网络，训练或测量）收 `seeds`，结果一个种子一项。
- `seed` 只有两种用处：交给 scikit-learn、Optuna，它们只收整数；
  和每次调用都要从同一起点出发的目标函数。

一个名字在全站只有一个意思；定义照页面引用的先后排。`tests/test_manner.py` 看守这几条。
"""
