/* What grids call by name: Enter on a cell opens the row's design, as a click does. */
window.dashAgGridFunctions = window.dashAgGridFunctions || {};
window.dashAgGridFunctions.openRow = (params, setGridProps) => {
  if (!params.event || params.event.key !== "Enter" || !params.node) return;
  setGridProps({
    cellClicked: {
      colId: params.column ? params.column.getColId() : null,
      rowIndex: params.rowIndex,
      rowId: params.node.id,
      timestamp: Date.now(),
    },
  });
};
/* Tab goes on to what comes after the grid. */
window.dashAgGridFunctions.leaveGrid = () => false;
