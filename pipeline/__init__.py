"""页面是怎样建成的：纯函数在 cells、figure、maths 里，与 MkDocs 的接线在 events 里。"""
